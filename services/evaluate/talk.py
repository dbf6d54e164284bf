"""Speech that is not for this home: sentences of our own, and of public corpora where present.

Ours were written for evaluation and are in no training text. About a third use words of the home
(light, kitchen, turn, lock …) in another sense. From ``SHARED/text`` only sentences that training
leaves out are taken (``held_out_talk``), and none whose subject a home may know about.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from services.evaluate.errors import SetError
from services.language.held_out import about_home, held_out_talk
from services.language.spoken import spoken

FILES = ("clinc_oos_train.jsonl", "clinc_train.jsonl", "nlu_eval_home_train.jsonl")
LONGEST = 12  # words

OURS = tuple(
    """
how far is it from here to the airport
i would like a large cappuccino with oat milk
do you know any good italian restaurants nearby
my sister is getting married in the spring
could you book me a table for two tonight
what is the capital city of australia
please read me the news headlines
remind me to call my mother about the party
who won the football match last night
how many calories are there in a banana
send a message to peter that i am running late
what should i wear to the interview
tell me something interesting about whales
how do you say thank you in japanese
i think the neighbours have bought a new car
can you recommend a good book for the holidays
the children are playing in the street again
what is the square root of eighty one
is it going to rain this afternoon
how old is the president of france
please add milk and eggs to my shopping list
i forgot to pay the electricity bill
where did you put my glasses
what is the best way to cook salmon
play the new album by that singer i like
we should visit your parents next month
how much does a flight to lisbon cost
the doctor told me to drink more water
let me know when the package arrives
what is the meaning of this word
did you see that film about the astronaut
i need to renew my passport before the trip
why is the sky so red tonight
what does my calendar look like for friday
she left her umbrella on the train
could you translate this sentence into german
how many people live in new york
the soup needs a little more salt
who wrote the book about the white whale
i have a meeting with my boss after lunch
what is the difference between a frog and a toad
can you help me with my homework
there is a strange noise coming from the engine
how do i get to the railway station
my favourite colour used to be purple
when does the supermarket close on sundays
please call the dentist and make an appointment
what is the exchange rate for the pound
the cat has been sleeping all day long
are there any traffic jams on the motorway
i really enjoyed talking to you yesterday
how tall is the highest mountain in africa
would you like another cup of tea
what song is playing at the moment
he never answers his phone when i call
find me a recipe for chocolate cake
the train was late again this morning
how long do you boil an egg
is my bank account overdrawn
that was the funniest joke i ever heard
what is the speed of light in a vacuum
the lamp in this painting is beautiful
i left the lights of my car on all night
he said the kitchen was too small for them
they want to open a door to new markets
her office is on the other side of town
my bedroom looks out over the river
turn left at the next corner and keep going
set the table for six people please
the fan of that team was very loud
put the kettle on and come and sit down
switch to the second chapter of the book
you should turn up early to get a seat
i was locked out of my own house once
close your eyes and count to ten
this garage charges too much for repairs
they live in a hallway full of old paintings
open a savings account for my daughter
the television show was cancelled last year
stop worrying about what they think
could we start the meeting without him
turn the page and read the last line
the coffee in that place is terrible
she set a new record in the long jump
what makes a desk worth so much money
the front of the building needs some paint
how bright is the north star really
dim sum is my favourite kind of food
green apples are sour but i like them
red wine does not agree with me
i watched the standing ovation from the balcony
is the bed in that hotel comfortable
ask the waiter whether the fish is fresh
our ceiling has a crack that worries me
read the second paragraph once more
how humid does it get in the jungle
the window seat is mine on this flight
what did the weather man say about the storm
who is coming to dinner on saturday
i can not remember where we parked
""".strip().splitlines()
)


def other_talk(folder: Path, count: int, rng: random.Random) -> list[str]:
    """``count`` sentences in spoken form: ours first, then others', then ours again.

    Raises:
        SetError: a file in ``folder`` is not what it should be.
    """
    theirs = sorted({text for name in FILES for text in _read(folder / name)})
    rng.shuffle(theirs)
    chosen = [*OURS, *theirs][:count]
    while len(chosen) < count:
        chosen += OURS[: count - len(chosen)]
    return chosen


def _read(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            text, intent = spoken(row["text"]), str(row["intent"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SetError(f"{path}:{number}", "is not a row of text and intent") from error
        if held_out_talk(text) and len(text.split()) <= LONGEST and not about_home(intent):
            yield text
