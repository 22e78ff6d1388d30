"""PLY, as trainers write it and as PlayCanvas compresses it."""
