"""What a TorchServe worker runs in place of upstream's main program; started by path, not imported by it."""
