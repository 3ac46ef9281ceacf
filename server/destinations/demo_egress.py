"""The way out of a server that has the demo: to the world, and to its own demo receiver."""

from __future__ import annotations

from collections.abc import Mapping

from server.destinations.egress import Answer, Egress, trusted_authorities


class EgressWithDemo(Egress):
    """An egress that may also call one private address: this server's own demo receiver."""

    def __init__(self, *, allow_private: bool, demo_url: str) -> None:
        authorities = trusted_authorities()
        super().__init__(allow_private=allow_private, ssl_context=authorities)
        self._demo_url = demo_url
        self._to_demo = Egress(allow_private=True, ssl_context=authorities)

    async def post(self, url: str, *, headers: Mapping[str, str], content: bytes) -> Answer:
        """See `Egress.post`."""
        if url == self._demo_url:
            return await self._to_demo.post(url, headers=headers, content=content)
        return await super().post(url, headers=headers, content=content)

    async def close(self) -> None:
        """See `Egress.close`."""
        await self._to_demo.close()
        await super().close()
