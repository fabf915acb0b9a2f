"""What the three programs share: errors, environment, bars, inputs."""
