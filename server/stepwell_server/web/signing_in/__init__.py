"""How people sign in with a browser: sessions, an OpenID Connect provider, a proxy that knows them."""
