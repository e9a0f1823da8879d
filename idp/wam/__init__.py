"""What a Website Access Manager does: roster, granting, removing."""
