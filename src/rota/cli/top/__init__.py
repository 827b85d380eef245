"""`rota top`: a node at a glance, drawn anew every second."""
