"""What a team is told of its compose file before it is released here for the first time, and ever after."""
