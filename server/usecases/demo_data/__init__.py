"""What demonstration data is made of: tables of people and property, and what they do."""
