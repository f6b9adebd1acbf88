"""What a run is held against: models written apart from the code they check."""
