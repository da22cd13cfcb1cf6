"""SeriesService on the wire."""
