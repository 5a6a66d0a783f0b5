"""What models do: one folder per capability, one file per architecture."""
