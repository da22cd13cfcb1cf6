"""Models: logged, loaded, registered, served."""
