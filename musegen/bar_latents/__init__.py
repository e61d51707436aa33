"""MuseGAN over the latents of bars: form, autoencoder of bars, prior, critic."""
