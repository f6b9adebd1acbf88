"""Names and sentences of the population. Data only."""

FIRST = """Ada Amir Anna Arno Aya Ben Bea Boris Carla Chen Cleo Dana Deniz Diego Dora Edda Eli Elsa Emil Enzo Esra Eva Fadi Fay
Felix Gia Gil Greta Guo Hana Hugo Ida Ilya Ines Iris Ivo Jana Jin Joao Jude Kai Kaya Kim Lars Lea Leo Lina Lola Luca Luz Maja
Marc Maya Mei Milo Mira Nadia Nam Nils Nina Noor Olga Omar Oren Otto Pia Pola Quinn Rafa Ravi Rena Rosa Ruth Sami Sara Seth
Sina Sven Tara Teo Tess Timo Tove Uma Vera Vito Wen Yara Yuki Yves Zoe""".split()
LAST = """Acorn Alder Amber Anchor Apple Arch Ash Aspen Autumn Badge Barley Basil Beacon Birch Bloom Branch Bridge Brook Cabin
Candle Canyon Cedar Cherry Cliff Clover Coast Copper Coral Crane Creek Crest Dawn Delta Dew Drift Dune Eagle Echo Elm Ember
Falcon Fern Field Finch Flint Fog Forest Fox Frost Garden Ginger Glade Grove Gull Harbor Hazel Heron Hill Hollow Honey Island
Ivy Jade Juniper Lake Lantern Lark Laurel Leaf Lilac Linden Lotus Lynx Maple Marsh Meadow Mint Moon Moss North Oak Ocean Olive
Orchid Otter Owl Path Peak Pear Pebble Pine Plum Pond Poplar Prairie Quill Rain Raven Reed Ridge River Robin Rowan Sage Sand
Shale Shore Silver Sky Slate Snow Sparrow Spring Star Stone Storm Stream Swan Thistle Tide Timber Topaz Trail Tulip Valley
Violet Walnut Water Wave Willow Wind Winter Wolf Wren""".split()
OPENINGS = """Reading about|Still thinking about|Can anyone recommend|Just heard about|Today I learned about|Walking past|
Finally understood|Late night with|Hot take on|Coffee and|Unpopular opinion on|Three years of|First look at|Small joys:|
Question for those who love|Photos of|Nobody told me about|In praise of|Waiting for|Dreaming of""".replace("\n", "").split("|")
TOPICS = """the night train|the last match|a new album|sourdough|the tide at noon|a patient teacher|rain on the roof|election night|
an honest review|old maps|a quiet week|the last mile|a good index|wild garlic|the long way home|yesterday's outage|tomatoes|
the season finale|a power cut|the school run|street food|a lost umbrella|the first snow|my neighbour's piano|bread and films|
a slow internet|the transfer window|penalties|cheap flights|the morning news""".replace("\n", "").split("|")
REPLIES = """Same here.|That matches what I saw.|How do you know?|Saved for later.|I disagree, and here is why: it depends.|Beautiful.|
We tried that in spring.|Which one?|Thank you for writing this down.|It gets worse.|No way.|Congratulations!|So true|Where was this?|
Laughing out loud|Source?|Come on.|Tell me more""".replace("\n", "").split("|")
QUOTES = """This. Read it twice.|Adding to my list:|The best thing I read today.|So much this.|Not sure I agree.|Look at that|
Everybody should know this|And here we go again""".replace("\n", "").split("|")
TAGS = """news music football weekend love travel cooking trains hiking photography gaming art film books weather python science
election fashion startup monday garden rain maps coffee basketball cricket anime health climate""".split()
