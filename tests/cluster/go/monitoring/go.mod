module splats.dev/cluster/monitoring

go 1.26.0

// For the definitions of its resources, which tests ask the API server with; nothing is built.
require github.com/prometheus-operator/prometheus-operator v0.85.0
