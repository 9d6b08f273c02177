"""The market file: read, planned, applied, compiled into one immutable snapshot."""
