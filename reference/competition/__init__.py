"""The competition of the faces: four BadNets on pixels / 255, their images, the worked solution."""
