"""What propgauge is about, without I/O: visitors, leads, scores, deliveries."""
