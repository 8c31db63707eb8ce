"""Registration: any head in correspondence with a template."""
