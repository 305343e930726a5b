"""The ground: errors, events, settings, the home folder, files, logs and translation. Knows no other folder."""
