"""Reading series: histories, samples, and what was committed since."""
