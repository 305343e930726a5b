"""What people type and read: commands, the wizard, tables and help. Errors are handled here, once."""
