"""Files below a mounted volume as objects."""
