"""What goes over the wire besides the library's own answers: refusals, pictures, forms."""
