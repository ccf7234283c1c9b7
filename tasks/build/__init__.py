"""The artifact: wheels, image, migrations, signed statements."""
