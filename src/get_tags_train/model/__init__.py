"""The model folder: load, predict, metadata, probes; and the device it runs on."""
