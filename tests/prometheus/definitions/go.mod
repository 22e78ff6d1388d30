module splats.dev/prometheus/definitions

go 1.26.0

// For the definitions of its resources, which are files of it; nothing is built.
require github.com/prometheus-operator/prometheus-operator v0.85.0
