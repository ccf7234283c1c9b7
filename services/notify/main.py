"""Program that sends queued posts through every configured channel, and takes answers from Slack. Of several hosts each
sends its own; the one that takes ci's runs takes the answers.
"""

import signal
import sys
import threading
from types import FrameType

import structlog

from host.errors import SlipwayError
from host.home import Home
from notify.channels import Configured, configured
from notify.channels.slack import SlackChannel, SlackSettings
from notify.outbox import Outbox
from services.logs import configure_logs
from services.notify.sender import OPEN_AGAIN_S, Sender
from services.notify.slack_listener import Listener
from settings.hosts import CI, pools
from settings.notify import read_notify

log = structlog.get_logger("notify")


def listen(channel: Configured, home: Home, outbox: Outbox, stop: threading.Event) -> None:
    """Take answers from Slack until `stop` is set; tokens that cannot be read yet are read again later."""
    while not stop.is_set():
        try:
            slack = channel.open(home, outbox)
            if isinstance(slack, SlackChannel):
                Listener.of(slack, outbox).run(stop)
        except SlipwayError as error:
            log.error("not listening", channel=channel.name, error=str(error), again_in_s=OPEN_AGAIN_S)
            stop.wait(OPEN_AGAIN_S)


def main() -> int:
    """Run until SIGTERM. Exits 2 on bad configuration, which is said in one line."""
    configure_logs("notify")
    try:
        home = Home.find()
        channels = configured(read_notify())
        takes_answers = CI in pools()  # on one host only: Slack gives each press to any one connection
    except SlipwayError as error:
        sys.stderr.write(f"notify: {error}\n")
        return 2
    outbox = Outbox.of(home)
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threads = [threading.Thread(target=Sender(one, home, outbox).run, args=(stop,), name=one.name) for one in channels]
    for channel in channels:
        if isinstance(channel.settings, SlackSettings) and channel.settings.app_token and takes_answers:
            threads.append(threading.Thread(target=listen, args=(channel, home, outbox, stop), name="listen"))
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
