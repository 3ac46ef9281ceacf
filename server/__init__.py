"""propgauge: tells a property marketing team which lead to call first."""
