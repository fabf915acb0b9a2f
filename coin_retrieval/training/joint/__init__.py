"""Train the joint model: pictures with the outlines of their nuclei in, pairs out."""
