"""What every room may use: files, downloads, disk cache, memory, processes, errors."""
