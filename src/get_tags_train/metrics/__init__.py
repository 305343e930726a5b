"""Pure functions of arrays: ranking metrics, intervals, calibration."""
