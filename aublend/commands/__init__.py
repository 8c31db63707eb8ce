"""The commands of `aublend`, one module each; `aublend.cli` lists them."""
