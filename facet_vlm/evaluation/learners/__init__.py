"""Ways to recognise, one a module, behind one interface."""
