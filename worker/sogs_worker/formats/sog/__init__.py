"""SOG: meta.json, planes and bundles, versions 1 and 2."""
