"""Reading files: from the disk, from a revision of git, in a child process; captures."""
