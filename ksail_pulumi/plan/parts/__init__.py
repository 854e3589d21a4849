"""One module for each kind of Omni resource that a cluster consists of; `table.PARTS` lists them."""
