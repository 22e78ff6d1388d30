"""The mathematics of the encoder: arrays in, arrays out; opens nothing, prints nothing, leaves its inputs unchanged."""
