"""The rasteriser on CUDA: kernels of our own, compiled by NVRTC, for pictures and for the gradients of their errors."""
