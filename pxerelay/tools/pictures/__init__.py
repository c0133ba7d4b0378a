"""Pictures as SVG, made of plain data: for `pxerelay web`, and for `pxerelay diff --format html`."""
