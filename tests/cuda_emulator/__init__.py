"""CUDA kernels run on a CPU."""
