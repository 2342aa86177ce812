"""Prints notifications as oslo.messaging's listener understands them: URL EXCHANGE TOPIC COUNT."""
import json
import sys
import threading

import oslo_messaging
from oslo_config import cfg

url, exchange, topic, count = sys.argv[1:]
heard = threading.Semaphore(0)


class Endpoint:
    def _print(self, priority, context, publisher_id, event_type, payload, metadata):
        line = dict(metadata, priority=priority, publisher_id=publisher_id, event_type=event_type, payload=payload)
        print(json.dumps(line), flush=True)
        heard.release()

    def info(self, *notification):
        self._print("info", *notification)

    def error(self, *notification):
        self._print("error", *notification)


conf = cfg.ConfigOpts()
conf([])
transport = oslo_messaging.get_notification_transport(conf, url=url)
target = oslo_messaging.Target(exchange=exchange, topic=topic)
listener = oslo_messaging.get_notification_listener(transport, [target], [Endpoint()], executor="threading")
listener.start()
for _ in range(int(count)):
    if not heard.acquire(timeout=40):
        sys.exit("not heard of all of them")
listener.stop()
listener.wait()
