"""The whole loop on one head: rig, expressions, sequence, renders, recognition, and a page that shows them."""
