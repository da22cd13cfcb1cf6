"""Past one machine: several servers on one database, measured; and what follows for very many, worked out."""
