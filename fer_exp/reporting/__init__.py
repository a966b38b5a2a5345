"""What people look at: pictures, tables, the terminal."""
