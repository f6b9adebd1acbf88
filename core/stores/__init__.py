"""What fills the ports: one folder a world."""
