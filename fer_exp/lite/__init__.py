"""`.tflite` files: written, proven, timed, described, and run where they can do no harm."""
