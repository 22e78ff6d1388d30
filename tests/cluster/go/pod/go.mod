module splats.dev/cluster/pod

go 1.26.0
