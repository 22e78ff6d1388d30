"""Jobs and their pods: pure functions from the spec to manifests."""
