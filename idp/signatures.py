"""Sign and verify JWTs with every option spelled out; ours and upstreams' alike."""
