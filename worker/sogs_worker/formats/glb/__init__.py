"""Binary glTF with Gaussian splats: KHR_gaussian_splatting, plain or around an SPZ file."""
