"""Names for runs that were given none: adjective-noun-number, easy to say and to find again."""

import random

_ADJECTIVES = """able airy amber ample apt azure balmy blue bold brave breezy bright brisk calm candid chilly civil
clean clear clever cosy crisp curious dainty deep deft dewy early easy even fair fleet fluent fond frank fresh gentle
glad golden grand green handy happy hardy honest humble jolly keen kind lasting level light limber lively loyal lucid
lucky merry mild mossy neat nimble noble patient placid plucky polite proud pure quick quiet rapid ready rosy round
serene sharp silver sleek smart smooth snowy sober solid spry stable steady still stout sturdy sunny sure swift tender
thorough tidy tranquil trusty upbeat vivid warm wise witty zesty""".split()  # noqa: SIM905 - a list of a hundred literals reads badly

_NOUNS = """acorn alder anchor arch aspen badger bank basin bay beach beacon beech birch bloom boulder bridge brook
canal canyon cedar cistern cliff cloud clover coast comet coral cove crane creek dale dam delta dew dune eagle echo elm
ember falcon fern field finch fjord ford forest fountain fox garden gate glade glen grove gull harbor hawk heron hill
inlet iris island ivy juniper kestrel kite lagoon lake lark laurel ledge lily linden lock maple marsh meadow mill moon
moss oak oasis orchid osprey otter owl pearl pebble pine plover pond pool poplar rain raven reed reef ridge rill river
robin rook sage sail shore sluice snow sparrow spring spruce star stone stork stream summit swallow swan tern terrace
thicket thrush tide trail trout tulip vale valley wadi walnut wave weir well willow wren""".split()  # noqa: SIM905

_NUMBER_MAX = 999

# Its own generator: a script that seeds `random` would otherwise name all its runs alike.
_random = random.SystemRandom()


def generate() -> str:
    """Return a new name of at most 21 characters; one of about fourteen million."""
    return f"{_random.choice(_ADJECTIVES)}-{_random.choice(_NOUNS)}-{_random.randint(1, _NUMBER_MAX)}"
