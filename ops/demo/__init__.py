"""The generated world behind `twit serve --demo`."""
