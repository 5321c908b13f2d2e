//! Which step to try next when looking for the version that changed a behaviour.
